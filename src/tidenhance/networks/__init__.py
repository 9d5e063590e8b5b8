"""Networks, one file each: `SIZE_MULTIPLE` and `build(*, ...) -> keras.Model`."""
