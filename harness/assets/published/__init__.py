"""Makes the tidy tables of published results out of the files that their authors published.

One file per data set: each reads the folder of an asset's parts and writes the tables that the asset's entry says are
made of them. That is compared with the sha256 in the entry, so that a table is the same wherever it is made.
"""
