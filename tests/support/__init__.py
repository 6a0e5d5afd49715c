"""What several test suites share: peers, servers, notebooks, fakes."""
