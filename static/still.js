// @ts-check
// The picture that is shown, saved as a file at its full size.

/** @param {HTMLVideoElement} video @param {string} camera what it is called @param {number} moment in Unix seconds */
export async function saveStill(video, camera, moment) {
  if (!video.videoWidth || Number.isNaN(moment)) return false;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  canvas.getContext("2d")?.drawImage(video, 0, 0);
  const picture = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.95));
  if (!(picture instanceof Blob)) return false;
  const local = new Date((moment - new Date(moment * 1000).getTimezoneOffset() * 60) * 1000).toISOString();
  const link = document.createElement("a");
  link.href = URL.createObjectURL(picture);
  // As clips are called, so that both stand beside each other in a folder.
  link.download = `${camera} ${local.slice(0, 10)} ${local.slice(11, 19).replaceAll(":", ".")}.jpg`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  return true;
}
