"""The stages of a build, one a file, in the order in which `bundler.build` runs them."""
