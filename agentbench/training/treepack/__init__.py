"""Tree packing: every token that rows share is computed once, with TRL's own losses untouched.

Reading order: `trie` (rows to a packed layout), `plan` (a padded batch to layouts, scored sites and back), `attention`
with its kernels (`chains`, `merged`, `masks`), `forward` (a model's packed forward and the hook into TRL's), `check`
(where it may be used, and whether it is right), `order` and `sharing` (which rows meet in a batch, what that saves),
`trainers` (TRL's trainers with all of it).

The unit is the token-level radix trie over exactly the rows that the stock trainer would feed, so the result is the
stock trainer's whatever a chat template does; templates that render history anew only share less.
"""
