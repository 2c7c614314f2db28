"""Beacons at run time: a party of the local beacon, and the clients that fetch rounds."""
