//! One file for each thing that the runner promises, and the package that all of them use.

mod campaign;
mod check;
mod codes;
mod corpus;
mod package;
mod resume;
