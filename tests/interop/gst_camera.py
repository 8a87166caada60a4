#!/usr/bin/python3
"""A camera that is not ours: GStreamer's RTSP server, for tests that need a third party on the other side.

    gst_camera.py --listen 127.0.0.1:0 --mount /main=h264:live --mount /sub=h265:live:320x240@10 --mount /file=clip.mp4
                  [--user U --password P] [--frames N] [--key-every N] [--transport tcp|udp|both] [--verbose]

A mount is `h264:live`, `h265:live` or `jpeg:live` (a drawn scene, encoded as it is sent; `:WIDTHxHEIGHT@FPS` may follow, and `+aac`,
`+pcmu`, `+pcma` or `+l16` for a tone) or an MP4 file with H.264 or H.265, of which the pictures are played once, in real time. `--frames` ends a live mount after so many pictures. `--user` asks
for a digest. One line on standard output is one JSON object:

    {"ready": "rtsp://127.0.0.1:40123/main"}            it listens (one line per mount)
    {"mount": "/main", "event": "end"}                  as many pictures were sent as `--frames` says
    {"mount": "/main", "sent": 300, "first_pts_s": …, "last_pts_s": …}   on the word "count" on standard input, and at the end

`sent` counts pictures that left for at least one client since the first PLAY. It ends on SIGTERM or when standard input is
closed. Exit status 77 means: GStreamer's RTSP server is not installed. Run it with /usr/bin/python3: the bindings belong to
Debian's Python (gir1.2-gst-rtsp-server-1.0, python3-gi, gstreamer1.0-plugins-base, -good, -bad, -ugly).
"""
import argparse
import json
import signal
import sys

try:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtsp", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtsp, GstRtspServer
except (ImportError, ValueError) as missing:
    print(f"no GStreamer RTSP server: {missing}", file=sys.stderr)
    sys.exit(77)

ENCODERS = {
    "h264": "x264enc tune=zerolatency speed-preset=ultrafast bframes=0 key-int-max={key_every} ! h264parse",
    "h265": "x265enc tune=zerolatency speed-preset=ultrafast key-int-max={key_every} option-string=log-level=none ! h265parse",
    "jpeg": "jpegenc quality=70",
}

TONE = "audiotestsrc name=tone is-live=true ! audio/x-raw,rate={rate},channels=1 ! {encoder} name=pay1 pt=97"
SOUNDS = {
    "": "",
    "aac": TONE.format(rate=16000, encoder="avenc_aac ! aacparse ! rtpmp4gpay"),
    "pcmu": TONE.format(rate=8000, encoder="mulawenc ! rtppcmupay"),
    "pcma": TONE.format(rate=8000, encoder="alawenc ! rtppcmapay"),
    "l16": TONE.format(rate=16000, encoder="audioconvert ! rtpL16pay"),
}


def say(**words):
    print(json.dumps(words), flush=True)


class Mount(GstRtspServer.RTSPMediaFactory):
    """One path: its pipeline, and how many pictures left through it."""

    def __init__(self, path, source, options):
        super().__init__()
        self.path, self.verbose, self.frames = path, options.verbose, options.frames
        self.sent, self.first_pts, self.last_pts = 0, None, None
        self.set_launch(self.pipeline(source, options))
        self.set_shared(True)
        transports = {
            "tcp": GstRtsp.RTSPLowerTrans.TCP,
            "udp": GstRtsp.RTSPLowerTrans.UDP,
            "both": GstRtsp.RTSPLowerTrans.TCP | GstRtsp.RTSPLowerTrans.UDP,
        }
        self.set_protocols(transports[options.transport])
        self.connect("media-configure", self.configured)

    @staticmethod
    def pipeline(source, options):
        video, _, sound = source.partition("+")
        codec, _, rest = video.partition(":")
        if codec in ENCODERS and rest.split(":")[0] == "live":
            size = rest.split(":")[1] if ":" in rest else "640x360@15"
            (width, _, height), fps = size.split("@")[0].partition("x"), size.split("@")[1]
            encoder = ENCODERS[codec].format(key_every=options.key_every)
            head = (
                f"videotestsrc name=scene is-live=true pattern=ball "
                f"! video/x-raw,format=I420,width={width},height={height},framerate={fps}/1 ! {encoder}"
            )
            tone = SOUNDS[sound]
        else:
            tone = ""
            kind = Mount.codec_of(source)
            codec = kind
            head = f'filesrc location="{source}" ! qtdemux ! {kind}parse'
        # RFC 2435 has its own payload type, and no parameter sets to repeat.
        pay = "rtpjpegpay name=pay0 pt=26" if codec == "jpeg" else f"rtp{codec}pay name=pay0 pt=96 config-interval=-1"
        return f"( {head} ! {pay} {tone} )"

    @staticmethod
    def codec_of(file):
        with open(file, "rb") as clip:
            head = clip.read()
        for name, box in (("h264", b"avc1"), ("h265", b"hvc1"), ("h265", b"hev1")):
            if box in head:
                return name
        sys.exit(f"{file}: neither H.264 nor H.265")

    def configured(self, _factory, media):
        pad = media.get_element().get_child_by_name("pay0").get_static_pad("src")
        pad.add_probe(Gst.PadProbeType.BUFFER | Gst.PadProbeType.BUFFER_LIST, self.left, media)
        # The picture that the stream was prepared with is thrown away when a client says PLAY.
        pad.add_probe(Gst.PadProbeType.EVENT_FLUSH, self.begin)

    def begin(self, _pad, _info):
        self.sent, self.first_pts, self.last_pts = 0, None, None
        return Gst.PadProbeReturn.OK

    def end(self, media):
        say(mount=self.path, event="end")
        for name in ("scene", "tone"):
            source = media.get_element().get_child_by_name(name)
            if source:
                source.send_event(Gst.Event.new_eos())

    def left(self, _pad, info, media):
        if self.frames and self.sent >= self.frames:
            return Gst.PadProbeReturn.DROP
        if info.type & Gst.PadProbeType.BUFFER_LIST:
            packets = info.get_buffer_list()
            buffers = [packets.get(n) for n in range(packets.length())]
        else:
            buffers = [info.get_buffer()]
        for buffer in buffers:
            # The RTP marker stands on the last packet of a picture.
            if buffer.extract_dup(1, 1)[0] & 0x80:
                self.sent += 1
                seconds = buffer.pts / Gst.SECOND
                self.first_pts = seconds if self.first_pts is None else self.first_pts
                self.last_pts = seconds
                if self.verbose:
                    say(mount=self.path, picture=self.sent, pts_s=seconds)
                if self.sent == self.frames:
                    GLib.idle_add(self.end, media)
        return Gst.PadProbeReturn.OK

    def count(self):
        say(mount=self.path, sent=self.sent, first_pts_s=self.first_pts, last_pts_s=self.last_pts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="IP:PORT")
    parser.add_argument("--mount", action="append", required=True, metavar="PATH=SOURCE")
    parser.add_argument("--user")
    parser.add_argument("--password", default="")
    parser.add_argument("--frames", type=int, default=0)
    parser.add_argument("--key-every", type=int, default=30)
    parser.add_argument("--transport", choices=("tcp", "udp", "both"), default="both")
    parser.add_argument("--verbose", action="store_true", help="a line per picture")
    options = parser.parse_args()
    Gst.init(None)

    address, port = options.listen.rsplit(":", 1)
    server = GstRtspServer.RTSPServer(address=address, service=port)
    if options.user:
        auth = GstRtspServer.RTSPAuth()
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        token = GstRtspServer.RTSPToken()
        token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "household")
        auth.add_digest(options.user, options.password, token)
        server.set_auth(auth)
    mounts = [Mount(*mount.split("=", 1), options) for mount in options.mount]
    for mount in mounts:
        if options.user:
            allowed = GstRtspServer.RTSPPermissions()
            for permission in (
                GstRtspServer.RTSP_PERM_MEDIA_FACTORY_ACCESS,
                GstRtspServer.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT,
            ):
                allowed.add_permission_for_role("household", permission, True)
            mount.set_permissions(allowed)
        server.get_mount_points().add_factory(mount.path, mount)
    if not server.attach(None):
        sys.exit(f"cannot listen on {options.listen}")

    loop = GLib.MainLoop()

    def asked(channel, condition):
        line = sys.stdin.readline() if condition & GLib.IOCondition.IN else ""
        if not line:
            loop.quit()
        elif line.strip() == "count":
            for mount in mounts:
                mount.count()
        return bool(line)

    GLib.io_add_watch(sys.stdin, GLib.IOCondition.IN | GLib.IOCondition.HUP, asked)
    GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGTERM, loop.quit)
    for mount in mounts:
        say(ready=f"rtsp://{address}:{server.get_bound_port()}{mount.path}")
    loop.run()
    for mount in mounts:
        mount.count()


main()
