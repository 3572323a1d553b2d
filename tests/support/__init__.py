"""What the tests stand on: guards that every test runs under, and doubles they share."""
