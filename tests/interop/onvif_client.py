"""A third-party ONVIF client (onvif-zeep-async): asks the device at HOST PORT USER PASSWORD and prints what it says."""

import asyncio
import json
import sys

from onvif import ONVIFCamera


async def main(host, port, user, password):
    camera = ONVIFCamera(host, int(port), user, password)
    await camera.update_xaddrs()
    device = await camera.create_devicemgmt_service()
    about = await device.GetDeviceInformation()
    cards = await device.GetNetworkInterfaces()
    media = await camera.create_media_service()
    streams = {}
    for profile in await media.GetProfiles():
        setup = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}
        uri = await media.GetStreamUri({"StreamSetup": setup, "ProfileToken": profile.token})
        streams[profile.token] = uri.Uri
    print(json.dumps({"serial": about.SerialNumber, "mac": cards[0].Info.HwAddress, "streams": streams}))
    await camera.close()


asyncio.run(main(*sys.argv[1:]))
