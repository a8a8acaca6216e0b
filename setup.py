"""Build step: write the task wrapper from xml/pclean.xml, then the ordinary setup(); the rest is in setup.cfg."""

import subprocess
import sys
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).resolve().parent
subprocess.run([sys.executable, str(ROOT / "scripts" / "generate_task.py")], check=True)
setup()
