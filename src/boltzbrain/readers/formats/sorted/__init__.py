"""Readers of sorted spikes, one file a program or lab that writes them."""
