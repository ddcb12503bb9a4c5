-- One beacon of v0 shape, 895 bytes.
local body = '{"room":"https://example.daily.co/meet-bench","meetingSessionId":"008c1f0f-6fc5-4e5f-b872-1b9623cb1e7a","sessionId":"6436dbcb-f60a-48c4-90ca-4588f60f6fbc","networkState":"good","stats":{"latest":{"timestamp":1795449870771,"recvBitsPerSecond":1312764.918203,"sendBitsPerSecond":1182430.551774,"availableOutgoingBitrate":2463000,"networkRoundTripTime":0.071,"videoRecvBitsPerSecond":1252811.204511,"videoSendBitsPerSecond":1129506.781302,"videoRecvPacketLoss":0.0042,"videoSendPacketLoss":0.0612,"totalSendPacketLoss":0.0592,"totalRecvPacketLoss":0.0036},"x":"'
local tail = '"}}'
body = body .. string.rep("x", 895 - #body - #tail) .. tail
wrk.method = "POST"
wrk.body = body
wrk.headers["Content-Type"] = "text/plain;charset=UTF-8"
