"""From files of any size, format and depth to small uint8 images in the cache."""
