"""What plugin authors test with: contract suites, fakes and scripted platforms."""
