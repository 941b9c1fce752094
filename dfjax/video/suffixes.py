"""The endings by which files are recognised as videos and pictures in a folder.

When a file is opened, its first bytes decide what it is (`formats.identify`). Endings only say
which files of a folder are worth opening. These lists are longer than what can be decoded, since a
file that turns out to be unreadable is reported with the reason.
"""

STILL_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp"),
    *(".heic", ".heif", ".avif", ".bmp", ".tif", ".tiff"),
)

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".avi", ".webm", ".mkv", ".gif"),
    *(".mpg", ".mpeg", ".mpe", ".m2v", ".vob", ".ts", ".mts", ".m2ts"),
    *(".flv", ".f4v", ".wmv", ".asf", ".ogv", ".mxf"),
)
