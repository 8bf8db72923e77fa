"""The machine: what code is generated for, object code and its cache, threads, memory."""
