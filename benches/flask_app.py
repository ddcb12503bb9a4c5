"""The rival: the collector that people write first, a Flask app that appends what it gets. It does not sync."""

import json
import os

from flask import Flask, request

app = Flask(__name__)
LOG = os.environ["BEACON_LOG"]


@app.post("/beacon")
def beacon():
    with open(LOG, "a") as log:
        log.write(json.dumps(request.get_json(force=True)) + "\n")
    return "", 204
