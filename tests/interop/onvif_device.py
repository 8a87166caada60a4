"""A third-party ONVIF device (ipycam) at the address given, with a user name and password; runs until killed."""

import sys
import time

import numpy
from ipycam import CameraConfig, IPCamera

config = CameraConfig(name="Third party", local_ip=sys.argv[1], username="viewer", password="secret")
config.main_width, config.main_height, config.main_fps = 640, 360, 10
config.sub_width, config.sub_height, config.sub_fps = 320, 180, 10
camera = IPCamera(config)
print("started:", camera.start(), flush=True)
picture = numpy.zeros((360, 640, 3), dtype=numpy.uint8)
while True:
    camera.stream(picture)
    time.sleep(0.1)
