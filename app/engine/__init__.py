"""llama.cpp in a child process: session, backend, protocol, client. No Qt."""
