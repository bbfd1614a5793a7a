//! A history asked again: under the law that decided, every answer is the very same; under another, what differs is said.

use crate::house::{House, actor, law};
use crate::month::{DAYS, Month};
use dunwell::domain::decision::Outcome;
use dunwell::pipeline::replay::{For, Replay, Replayed, Verdict};
use dunwell::policy::Policy;
use dunwell::storage::StorageError;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

async fn replay(house: &House, policy: &Arc<Policy>) -> Vec<Replayed> {
    let (names, policy) = (house.pipeline.desk().names.clone(), policy.clone());
    house
        .pipeline
        .read(move |store| {
            let reader = store.reader()?;
            let mut all = Vec::new();
            let take = |one| -> Result<(), StorageError> {
                all.push(one);
                Ok(())
            };
            Replay::new(&reader, &*names, &policy)?.run(take, |_| {})?;
            Ok(all)
        })
        .await
        .expect("readable")
}

fn stricter(_: &str, text: &str) -> String {
    // One call in seven days instead of seven, and nobody before eleven.
    text.replace("limit = 7\ndays = 7", "limit = 1\ndays = 7")
        .replace("opens = \"08:00\"", "opens = \"11:00\"")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_of_traffic_comes_out_the_same_to_the_last_word() {
    let mut month = Month::begin(House::new().await, 20_261_125).await;
    month.pass(DAYS / 2).await;
    let first = month.house.pipeline.desk().policy.load_full();
    month.erase(3).await;
    month.erase(8).await;
    let second = Arc::new(law(stricter));
    assert!(month.house.pipeline.change_policy(&actor(), law(stricter)).await.expect("recorded"));
    month.load_again(8).await;
    month.pass(DAYS - DAYS / 2).await;

    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut outcomes, mut rules, mut channels) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    let (mut permits, mut elsewhere) = (0, 0);
    for policy in [&first, &second] {
        for one in replay(&month.house, policy).await {
            let kind = match (&one.verdict, one.same_law) {
                (Verdict::Erased, _) => "erased",
                (Verdict::Same, true) => "same",
                (verdict, true) => {
                    panic!("{} at {} was {:?} and is {verdict:?}", one.seq, one.leaf, one.recorded)
                }
                (_, false) => "another law",
            };
            *seen.entry(kind).or_default() += 1;
            if kind == "same" {
                *outcomes.entry(one.recorded.decision.outcome).or_insert(0) += 1;
                permits += usize::from(matches!(one.subject, For::Permit(_)));
                channels.insert(one.recorded.decision.channel);
                elsewhere += usize::from(one.debtor_id.is_none());
                rules.extend(one.recorded.decision.findings.into_iter().map(|finding| finding.rule));
            }
        }
    }
    println!("{seen:?} {outcomes:?}, {permits} permits, {} rules", rules.len());
    assert_eq!(elsewhere, 0, "whoever is not erased has a name");
    assert!(seen["same"] > 400 && seen["erased"] > 20, "{seen:?}");
    assert!(
        [Outcome::Allow, Outcome::Defer, Outcome::Block].iter().all(|o| outcomes[o] > 30),
        "{outcomes:?}"
    );
    assert!(permits > 40 && channels.len() == 6, "{permits} permits, {channels:?}");
    for rule in ["us.fed.regf.inconvenient-time", "us.fed.regf.after-conversation", "house.pause"] {
        assert!(rules.contains(rule), "{rule} never spoke");
    }
    assert!(rules.len() > 10, "{rules:?}");
    month.house.close().await;
}
