//! `to-test`: a saved failure as a Rust test.

use crate::args::ToTestArgs;
use crate::corpus;
use crate::stop::{FINE, Stop};

pub fn to_test(args: &ToTestArgs) -> Result<u8, Stop> {
    print!("{}", corpus::read(&args.file)?.to_rust_test());
    Ok(FINE)
}
