"""The metrics of a beacon and their units, written down a second time from the contract."""

UNITS = {
    "totalSendPacketLoss": "ratio",
    "totalRecvPacketLoss": "ratio",
    "networkRoundTripTime": "s",
    "sendBitsPerSecond": "bit/s",
    "recvBitsPerSecond": "bit/s",
    "videoSendBitsPerSecond": "bit/s",
    "videoRecvBitsPerSecond": "bit/s",
    "availableOutgoingBitrate": "bit/s",
    "videoSendPacketLoss": "ratio",
    "videoRecvPacketLoss": "ratio",
    "audioSendPacketLoss": "ratio",
    "audioRecvPacketLoss": "ratio",
    "videoSendJitter": "s",
    "videoRecvJitter": "s",
    "audioSendJitter": "s",
    "audioRecvJitter": "s",
    "audioSendBitsPerSecond": "bit/s",
    "audioRecvBitsPerSecond": "bit/s",
}
METRICS = list(UNITS)
ALIASES = {"receiveBitsPerSecond": "recvBitsPerSecond"}
OF_2022 = [
    "recvBitsPerSecond",
    "sendBitsPerSecond",
    "videoRecvBitsPerSecond",
    "videoRecvPacketLoss",
    "videoSendBitsPerSecond",
    "videoSendPacketLoss",
    "totalSendPacketLoss",
    "totalRecvPacketLoss",
]
VALUE_MAX = 1e15
LINE_BYTES_MAX = 1 << 20
