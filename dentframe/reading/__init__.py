"""What a read is made of: the request, its windows, the pages, the frame they become."""
