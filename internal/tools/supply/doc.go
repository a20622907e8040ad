// Supply says what wxtoken's released binaries are made of.
//
//	supply licences ROOT        docs/licences.md: each module that is linked into a binary on any platform, and its licence
//	supply sbom ROOT BINARY     a CycloneDX bill of materials of a binary that was built of ROOT
//
// Both write to standard output. A licence that is unknown, missing or not in the list of those that go with Apache 2.0
// ends the program with exit code 1, as does a binary with a module that was replaced by another: nobody could look it up.
//
// The modules are those whose packages the go command would link, not all that go.mod names: most of what a module requires
// is for its tests. Licences are read from the files in the module cache, from each linked package's folder upwards, because
// a module may keep foreign code under a licence of its own. Nothing is asked over the network but modules that are
// missing from the cache.
package main
