"""`mbundle report`: what an output folder and the files beside it tell, as data, and that data as one HTML page."""
