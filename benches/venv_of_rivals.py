"""Rivals from PyPI, in a folder of their own under target/."""

import shutil
import subprocess
import sys
from pathlib import Path

WANTED = Path(__file__).parent / "requirements.txt"


def venv(folder):
    """A virtual environment with what requirements.txt names; None, told, where it cannot be had."""
    wanted, done = WANTED.read_text(), folder / "installed"
    if not done.exists() or done.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        pip = [folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", WANTED]
        for command in ([sys.executable, "-m", "venv", folder], pip):
            if subprocess.run(command).returncode:
                print("NOT MEASURED: rivals from PyPI could not be installed")
                return None
        done.write_text(wanted)
    return folder
