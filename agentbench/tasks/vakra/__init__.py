"""VAKRA's files: records, gold and tool universes read into ours, and its submission format written and read.

`files` finds what lies in a folder, `records` reads one record in any of its forms, `reading` puts inputs and ground
truth together, `universes` reads tool universes, `dialect` and `gold` turn gold calls into calls of our tools,
`answers` and `tasks` make tasks, `export` is the submission format.

The format is followed, nothing of the benchmark is shipped: whoever uses this brings the data.
"""
