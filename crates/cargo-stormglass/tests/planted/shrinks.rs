//! A test that fails with much, and would with little.

use stormglass::Sim;

#[stormglass::test(seeds = 3)]
async fn has_few_odd_numbers(sim: Sim) {
    let numbers = sim.workload("numbers", || (0..100_u32).collect());
    let odd = numbers.iter().filter(|number| *number % 2 == 1).count();
    assert!(odd <= 2, "{odd} numbers are odd");
}
