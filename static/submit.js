// @ts-check
// The one-time link: opening it signs in, and whatever only fetches it ahead does not.

const form = document.getElementById("submit-at-once");
if (form instanceof HTMLFormElement) {
  const send = () => form.requestSubmit();
  if (/** @type {any} */ (document).prerendering) document.addEventListener("prerenderingchange", send, { once: true });
  else send();
}
