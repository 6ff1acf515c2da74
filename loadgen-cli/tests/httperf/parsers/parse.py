"""Runs httperf by httperfpy (from PyPI) and prints what it parses, as JSON.

Arguments: the directory where httperfpy is installed, then NAME=VALUE for each
option of httperf. httperfpy is written in Python 2: two lines that Python 3 cannot
read are translated; its parser is as published.
"""
import json
import pathlib
import sys

directory, *options = sys.argv[1:]
source = (pathlib.Path(directory) / "httperfpy" / "httperfpy.py").read_text()
for old, new in (("import cStringIO, re", "import re"), ("print param", "print(param)")):
    if old not in source:
        sys.exit(f"another httperfpy than this script knows: no line {old!r}")
    source = source.replace(old, new)
module = {}
exec(compile(source, "httperfpy.py", "exec"), module)

pairs = dict(option.split("=", 1) for option in options)
run = module["Httperf"](**{name.replace("-", "_"): value for name, value in pairs.items()})
print(json.dumps(module["HttperfParser"].parse(run.run().decode("latin-1"))))
