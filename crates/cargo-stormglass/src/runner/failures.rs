//! What becomes of a failure: replayed in a fresh process, made smaller, saved, and told; or found
//! to be another run each time, and given to the doctor.

use std::path::PathBuf;

use stormglass::Failure as Why;
use stormglass::explore::{Fingerprint, Label, Scenario};
use stormglass::run::worker::{FailedRun, Labels, Ran};

use super::{Runner, Said};
use crate::commands::{command, replay_file};
use crate::corpus;
use crate::doctor::Finding;
use crate::failure::State;
use crate::output::shown;
use crate::pool::{Order, Purpose, is_death};
use crate::report;
use crate::stop::Stop;

impl Runner<'_> {
    pub(super) fn confirm(&mut self, failure: usize) {
        self.changed.insert(failure);
        self.order_replay(Purpose::Confirm(failure), failure);
    }

    /// Orders the scenario of a failure to be run in a fresh process, with a report.
    pub(super) fn order_replay(&mut self, purpose: Purpose, failure: usize) {
        let Some(member) = self
            .campaign
            .member_by_id(&self.campaign.failures[failure].test)
        else {
            return;
        };
        let labels = Some(self.labels(failure, member));
        self.orders.push_front(Order::Scenario {
            purpose,
            test: self.campaign.members[member].test,
            scenario: self.campaign.failures[failure].scenario.clone(),
            labels,
        });
    }

    /// A failure was made smaller, if that could be.
    pub(super) fn made_smaller(
        &mut self,
        failure: usize,
        smaller: Option<(Box<Scenario>, String)>,
    ) -> Result<(), Stop> {
        let Some((scenario, told)) = smaller else {
            return self.confirmed(failure);
        };
        let it = &mut self.campaign.failures[failure];
        let whole = std::mem::replace(&mut it.scenario, scenario);
        self.shrunk.insert(failure, (whole, told));
        self.order_replay(Purpose::Report(failure), failure);
        Ok(())
    }

    /// Where a failure is saved; `None` with `--no-corpus`.
    pub(super) fn file_of(&self, failure: usize, member: usize) -> Option<PathBuf> {
        let failure = &self.campaign.failures[failure];
        if self.args.no_corpus {
            return None;
        }
        let test = &self.found.tests[self.campaign.members[member].test].name;
        let name = corpus::file_name(test, &failure.fingerprint);
        Some(self.corpus_directory(member).join(name))
    }

    pub(super) fn labels(&self, failure: usize, member: usize) -> Labels {
        let test = self.campaign.members[member].test;
        let program = &self.found.binary(test).program;
        match self.file_of(failure, member) {
            Some(file) => Labels {
                replay: replay_file(&self.args.cargo, &self.args.process, program, &file),
                saved: shown(&file),
                shrunk: self.shrunk.get(&failure).map(|(_, told)| told.clone()),
            },
            None => Labels {
                replay: self.seed_command("replay", test, self.campaign.failures[failure].seed),
                saved: "nowhere, because of --no-corpus".to_owned(),
                shrunk: self.shrunk.get(&failure).map(|(_, told)| told.clone()),
            },
        }
    }

    fn seed_command(&self, name: &str, test: usize, seed: u64) -> String {
        let program = &self.found.binary(test).program;
        let own = [&*self.found.tests[test].name, "--seed", &seed.to_string()];
        command(name, &self.args.cargo, program, &own)
    }

    pub(super) fn answered(&mut self, purpose: Purpose, ran: &Ran) -> Result<(), Stop> {
        match purpose {
            Purpose::Corpus(kept) => {
                self.kept_ran(kept, ran);
                Ok(())
            }
            Purpose::Confirm(failure) => {
                if !self.is_the_same(failure, ran) {
                    let it = &self.campaign.failures[failure];
                    let Some(member) = self.campaign.member_by_id(&it.test) else {
                        return Ok(());
                    };
                    self.orders.push_front(Order::Doctor {
                        purpose,
                        test: self.campaign.members[member].test,
                        seed: it.scenario.seed,
                    });
                    return Ok(());
                }
                if self.take_replay(failure, ran) {
                    if self.args.no_shrink || self.interrupted {
                        return self.confirmed(failure);
                    }
                    let it = &self.campaign.failures[failure];
                    if let Some(member) = self.campaign.member_by_id(&it.test) {
                        self.orders.push_front(Order::Shrink {
                            failure,
                            test: self.campaign.members[member].test,
                            scenario: it.scenario.clone(),
                        });
                    }
                }
                Ok(())
            }
            Purpose::Report(failure) => {
                if self.is_the_same(failure, ran) {
                    self.take_replay(failure, ran);
                } else if let Some((whole, _)) = self.shrunk.remove(&failure) {
                    // It was luck; the whole one was the same again.
                    self.campaign.failures[failure].scenario = whole;
                }
                self.confirmed(failure)
            }
            Purpose::Check(_) => Ok(()),
        }
    }

    /// Whether a run is the failure that it should be.
    fn is_the_same(&self, failure: usize, ran: &Ran) -> bool {
        let it = &self.campaign.failures[failure];
        let Some(failed) = &ran.failed else {
            return false;
        };
        let how = |failure: &Why| match failure {
            Why::Died { how, .. } => Some(how.clone()),
            _ => None,
        };
        // The last words of a process may be those of an earlier run.
        let both_died = how(&it.scenario.failed.failure);
        if both_died.is_some() && both_died == how(&failed.scenario.failed.failure) {
            return true;
        }
        let digest = &it.scenario.digest;
        let has_digest = digest.len() == ran.digest.len();
        failed.fingerprint == it.fingerprint && (!has_digest || ran.digest == *digest)
    }

    /// Takes over the report of a replay. False if the failure turned out to be a known one.
    fn take_replay(&mut self, failure: usize, ran: &Ran) -> bool {
        let Some(failed) = &ran.failed else {
            return true;
        };
        let is_death = is_death(&failed.fingerprint);
        if is_death {
            let scenario = &mut self.campaign.failures[failure].scenario;
            scenario.failed = failed.scenario.failed.clone();
            scenario.fingerprint = failed.fingerprint.clone();
            if !self.campaign.rename(failure, failed.fingerprint.clone()) {
                self.changed.insert(failure);
                return false;
            }
        }
        let member = self
            .campaign
            .member_by_id(&self.campaign.failures[failure].test);
        let report = match (&failed.report, member) {
            (Some(report), _) => report.clone(),
            (None, Some(member)) if is_death => {
                let name = &self.found.tests[self.campaign.members[member].test].name;
                let labels = self.labels(failure, member);
                report::of_death(&self.campaign.failures[failure], name, &labels)
            }
            (None, _) => self.campaign.failures[failure].message(),
        };
        self.campaign.failures[failure].report = report;
        true
    }

    /// Saves a failure that was the same in a fresh process, and has it told.
    pub(super) fn confirmed(&mut self, failure: usize) -> Result<(), Stop> {
        let member = self
            .campaign
            .member_by_id(&self.campaign.failures[failure].test);
        let file = member.and_then(|member| self.file_of(failure, member));
        if let Some(file) = &file {
            corpus::save(file, &self.campaign.failures[failure].scenario)?;
        }
        let it = &mut self.campaign.failures[failure];
        it.state = State::Confirmed;
        it.file = file;
        self.changed.insert(failure);
        self.unsaid.push(Said::Failure(failure));
        Ok(())
    }

    /// A saved failure was run.
    fn kept_ran(&mut self, number: usize, ran: &Ran) {
        let kept = &mut self.campaign.kept[number];
        let label = corpus::label(&kept.scenario, ran);
        kept.label = Some(label);
        kept.stale.clone_from(&ran.stale);
        self.unsaid.push(Said::Kept(number));
        let (member, file) = (kept.member, kept.file.clone());
        let Some(failed) = &ran.failed else { return };
        let id = self.campaign.members[member].id.clone();
        if let Some(known) = self.campaign.known(&id, &failed.fingerprint) {
            let known = &mut self.campaign.failures[known];
            known.file.get_or_insert(file);
            return;
        }
        let failure = self.campaign.add(member, failed, ran.seed, &ran.digest);
        self.changed.insert(failure);
        if label == Label::Live {
            self.campaign.failures[failure].state = State::Confirmed;
            self.campaign.failures[failure].file = Some(file);
            self.take_replay(failure, ran);
            self.unsaid.push(Said::Failure(failure));
        } else {
            self.confirm(failure);
        }
    }

    /// The doctor was called on a seed that was not the same again.
    pub(super) fn diagnosed(&mut self, purpose: Purpose, finding: &Finding) {
        let (member, seed, failure) = match purpose {
            Purpose::Confirm(failure) => {
                let it = &self.campaign.failures[failure];
                let Some(member) = self.campaign.member_by_id(&it.test) else {
                    return;
                };
                (member, it.scenario.seed, Some(failure))
            }
            Purpose::Check(member) => {
                let Some((seed, _)) = &self.campaign.members[member].checked else {
                    return;
                };
                (member, *seed, None)
            }
            Purpose::Report(_) | Purpose::Corpus(_) => return,
        };
        let test = self.campaign.members[member].test;
        let name = &self.found.tests[test].name;
        let what = match failure {
            Some(failure) => {
                let message = self.campaign.failures[failure].message();
                format!("it failed once, and not so in a fresh process: {message}")
            }
            None => "its seed gave another run in a fresh process".to_owned(),
        };
        let replay = self.seed_command("doctor", test, seed);
        let mut text = report::of_difference(name, seed, &what, &replay, &finding.text);
        let fingerprint = if finding.is_nondeterminism() {
            let scenario = finding.scenario.as_deref();
            scenario.map(|scenario| Fingerprint::of(&scenario.failed))
        } else {
            text.push_str(
                "\n  the doctor found no leak: the run may depend on those before it in its \
                 process; `--isolate seed` gives each its own",
            );
            None
        };
        let config = self.campaign.members[member]
            .config
            .clone()
            .unwrap_or_default();
        let mut failed = FailedRun::died(name, &config, seed, "", &[]);
        failed.scenario.failed.failure = Why::Nondeterminism {
            leak: stormglass::Leak::Unknown,
            evidence: what.clone(),
            difference: String::new(),
            first: Vec::new(),
            second: Vec::new(),
        };
        if let Some(scenario) = finding
            .scenario
            .as_deref()
            .filter(|_| finding.is_nondeterminism())
        {
            failed.scenario = scenario.clone();
        }
        failed.fingerprint =
            fingerprint.unwrap_or_else(|| Fingerprint::of(&failed.scenario.failed));
        let number = match failure {
            Some(failure) => failure,
            None => {
                let known = self
                    .campaign
                    .known(&self.campaign.members[member].id, &failed.fingerprint);
                if known.is_some() {
                    return;
                }
                self.campaign.add(member, &failed, seed, "")
            }
        };
        self.changed.insert(number);
        if !self.campaign.rename(number, failed.fingerprint) {
            return;
        }
        let it = &mut self.campaign.failures[number];
        *it.scenario = failed.scenario;
        it.state = State::Nondeterministic;
        it.report = text;
        self.unsaid.push(Said::Failure(number));
    }
}
