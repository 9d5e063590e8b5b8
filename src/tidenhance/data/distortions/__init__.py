"""TID2013's distortion types, one file each: `NUMBER`, `NAME` and `distort(image, level, random)`."""
