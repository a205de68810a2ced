"""What the exit codes of ``limner`` mean."""

#: All was done.
ALL_DONE = 0
#: Nothing could be done.
NOTHING = 1
#: The command was not put right.
BAD_USAGE = 2
#: Some pages failed, the rest was done.
SOME_FAILED = 3
#: Stopped by Ctrl-C.
INTERRUPTED = 130
