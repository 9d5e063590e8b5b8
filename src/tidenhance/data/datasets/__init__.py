"""Data sets, one file each: `load(*, ...) -> Pairs`; the file's name is the name in YAML."""
