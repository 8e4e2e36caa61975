"""Numbers of weights in other forms, computed tile by tile from file to file.

A loader calls one for each weight and gets the region of the step's scratch file that holds the result. Whatever the
size of the weight, a kernel holds a few buffers of TILE elements a thread: it reads with pread, so that no page of the
source is mapped or copied whole, and writes into mapped pages of the file.
"""
