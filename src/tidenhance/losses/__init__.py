"""Losses, one file each: `build(*, ...) -> keras.losses.Loss`."""
