"""What every room uses: checks, numbers, files, memory, processes; nothing of it knows neurons."""
