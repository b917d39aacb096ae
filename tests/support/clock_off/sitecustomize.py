"""A machine whose clock is wrong: Python imports this at its start, where this folder is on its path."""

import os
import time

import time_machine

# It ends with the process.
time_machine.travel(time.time() + float(os.environ["CLOCK_OFF_S"]), tick=True).start()
