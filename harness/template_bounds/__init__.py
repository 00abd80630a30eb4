"""What a template may take: so much time and so much text, whatever stands in it. Beyond that it fails with one
sentence.

A template is somebody else's, and it is rendered in the process that scores. So what could grow is looked at before
it is made: products, powers, formats with widths, texts that are joined, repeated or padded. Time is looked at by
each turn of a loop and each call, and no single step between two looks is long. Ordinary templates have few of
either.

`clock.py` bounds time, `lengths.py` texts and lists, `operations.py` and `filters.py` look before what could grow, and
`environment.py` makes of jinja's sandbox one with all of that.
"""
