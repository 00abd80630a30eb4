"""Files of other tools become run folders, and run folders become files of other tools.

importing.py: files -> a run. foreign_file.py: a file as bytes and JSON, bounded; foreign_model.py: what its parts have
to look like, and the sentence where they don't. content.py: what an adapter makes of files; formats/: an adapter for
each tool, and the registry that tells by content whose a file is. launches.py: what several launches of one benchmark
come to; names.py: names and values of strangers as settings; machine.py: a machine as far as a file tells of it;
run_folder.py: the run that is written. exporting.py and to_pytest_benchmark.py: the way back.
"""
