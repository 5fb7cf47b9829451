"""What the fakes of chat platforms share: their clock, faults, rates, waiting, the web server and the page."""
