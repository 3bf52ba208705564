def filter(event
