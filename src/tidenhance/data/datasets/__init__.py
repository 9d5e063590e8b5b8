"""Data sets, one file each: `load(*, ...) -> Splits`; the file's name is the name in YAML."""
