// Package settings gives every peel the settings that are meant for it and for nobody else.
//
// On a master, a Compiler reads the settings tree: top.zy maps targets to files, which are rendered with the peel's facts,
// read as YAML and merged in order as Salt's pillar is (mappings deeply, everything else replaced). Keys keep the order of
// the files all the way to the template that iterates over them: see Map. A Service compiles for the whole fleet, again when
// facts, enrollments or files change, seals each peel's result to its curve key and stores it when it is not what is stored
// already. A file that fails for one peel fails for that peel alone, which keeps what it has.
//
// On a peel, a Store reads and opens its own entry, at once when a hint tells of a change, keeps the sealed bytes on disk for
// times without a bus, and never goes back to an older set.
//
// Values written as !encrypted are decrypted while compiling, under rules that keep a peel from choosing what it is given:
// what holds such a value must be assigned by peel id, along a way that no fact takes part in, and the encrypted text must
// stand in the file itself. Facts are what a peel says; ids are what it has been approved for.
//
// Compiled data is shared and must not be changed. All types are safe for concurrent use. Compiling costs rendering: text that
// comes out equal for many peels is read as YAML once.
package settings
