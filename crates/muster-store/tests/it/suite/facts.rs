//! Facts: intents and ownership, changed only together with an entry.

use muster_model::cloud::NetworkSpec;
use muster_model::id::ProviderId;
use muster_model::intent::{Created, CreationIntent, IntentState};
use muster_model::ownership::{Claim as How, ObjectKind, Ownership, Provisioned};
use muster_model::run::{EntryKind, Fact};
use muster_store::*;

use super::scene::*;

fn intent(claim: &Claim, second: i64) -> CreationIntent {
    CreationIntent {
        account: identity(),
        infrastructure: "shop".into(),
        name: "backend".into(),
        wanted: Created::Network(NetworkSpec {
            name: "backend".into(),
            location: "SdnSpb".into(),
            dhcp: true,
        }),
        known_ids: vec![],
        sent_at: at(second),
        run: claim.run,
        state: IntentState::Open,
    }
}

fn ownership(id: &str) -> Ownership {
    Ownership {
        account: identity(),
        kind: ObjectKind::Server,
        id: id.into(),
        infrastructure: "shop".into(),
        name: "web-1".into(),
        provider_name: "web-1".into(),
        claim: How::Created,
        image_words: "Debian 12".into(),
        image: "Debian12x64".into(),
        protect: false,
        since: at(3),
        host_key: None,
        provisioned: Default::default(),
        dns: None,
    }
}

async fn write(scene: &Scene, claim: &Claim, facts: Vec<Fact>) -> Result<(), StoreError> {
    let kind = EntryKind::Progress { step: None, message: "fact".into() };
    scene.store.append(claim.clone(), vec![Record { at: at(3), kind, facts }]).await.map(|_| ())
}

pub async fn an_intent_opens_once_and_closes(scene: Scene) {
    let claim = scene.running(1, "shop").await;
    let first = intent(&claim, 10);
    write(&scene, &claim, vec![Fact::OpenIntent(Box::new(first.clone()))]).await.unwrap();
    let error =
        write(&scene, &claim, vec![Fact::OpenIntent(Box::new(intent(&claim, 20)))]).await.unwrap_err();
    assert!(error.to_string().contains("not settled"), "{error}");
    let close = Fact::CloseIntent { intent: Box::new(first), state: IntentState::GivenUp };
    write(&scene, &claim, vec![close, Fact::OpenIntent(Box::new(intent(&claim, 20)))]).await.unwrap();
    let states: Vec<IntentState> = scene
        .store
        .facts(&identity())
        .await
        .unwrap()
        .intents
        .into_iter()
        .map(|intent| intent.state)
        .collect();
    assert_eq!(states, [IntentState::GivenUp, IntentState::Open]);
}

pub async fn a_made_intent_is_no_longer_a_question(scene: Scene) {
    let claim = scene.running(1, "shop").await;
    let open = intent(&claim, 10);
    write(&scene, &claim, vec![Fact::OpenIntent(Box::new(open.clone()))]).await.unwrap();
    let made = IntentState::Made(ProviderId::from("7"));
    write(&scene, &claim, vec![Fact::CloseIntent { intent: Box::new(open), state: made }]).await.unwrap();
    assert!(scene.store.facts(&identity()).await.unwrap().intents.is_empty());
}

/// ICT-65: what we own is a record; nothing is ours without one.
pub async fn ownership_is_made_amended_and_forgotten(scene: Scene) {
    let claim = scene.running(1, "shop").await;
    let (account, kind, id) = (identity(), ObjectKind::Server, ProviderId::from("7"));
    let outcome = Provisioned { digest: "d".into(), succeeded: true, at: at(3) };
    write(
        &scene,
        &claim,
        vec![
            Fact::Own(Box::new(ownership("7"))),
            Fact::HostKey { account: account.clone(), id: id.clone(), host_key: "ssh-ed25519 AAAA".into() },
            Fact::Provisioned { account: account.clone(), id: id.clone(), key: "k".into(), outcome },
            Fact::Amend {
                account: account.clone(),
                kind,
                id: id.clone(),
                name: "front-1".into(),
                protect: true,
            },
            // A record that does not exist is not made by amending it.
            Fact::Amend { account: account.clone(), kind, id: "8".into(), name: "x".into(), protect: false },
        ],
    )
    .await
    .unwrap();
    let owned = scene.store.owned(&"default".into()).await.unwrap();
    assert_eq!(owned.len(), 1);
    assert_eq!(owned[0].name.as_str(), "front-1");
    assert!(owned[0].protect && owned[0].provisioned["k"].succeeded);
    assert_eq!(owned[0].host_key.as_deref(), Some("ssh-ed25519 AAAA"));
    write(&scene, &claim, vec![Fact::Forget { account: account.clone(), kind, id }]).await.unwrap();
    assert!(scene.store.facts(&account).await.unwrap().owned.is_empty());
}

pub async fn facts_go_with_their_entry_or_not_at_all(scene: Scene) {
    let claim = scene.running(1, "shop").await;
    let mut stale = claim.clone();
    stale.fence.0 += 1;
    assert!(write(&scene, &stale, vec![Fact::Own(Box::new(ownership("7")))]).await.is_err());
    assert!(scene.store.facts(&identity()).await.unwrap().owned.is_empty());
}

pub async fn of_two_intents_of_one_name_at_once_one_opens(scene: Scene) {
    let other = scene.again().await;
    let (a, b) = (scene.running(1, "shop").await, scene.running(2, "bank").await);
    let open = |claim: &Claim, second| {
        let facts = vec![Fact::OpenIntent(Box::new(intent(claim, second)))];
        vec![Record { facts, ..progress("open") }]
    };
    let (one, two) =
        tokio::join!(scene.store.append(a.clone(), open(&a, 10)), other.append(b.clone(), open(&b, 20)));
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    let refused = one.err().or(two.err()).unwrap();
    assert!(refused.to_string().contains("not settled"), "{refused}");
    assert_eq!(scene.store.facts(&identity()).await.unwrap().intents.len(), 1);
}

pub async fn facts_about_one_object_leave_the_others_out(scene: Scene) {
    let claim = scene.running(1, "shop").await;
    let named = |id: &str, name: &str| Ownership { name: name.into(), ..ownership(id) };
    let facts = vec![
        Fact::Own(Box::new(named("7", "web-1"))),
        Fact::Own(Box::new(named("11", "web-2"))),
        Fact::Own(Box::new(named("9", "web-2"))),
        Fact::OpenIntent(Box::new(intent(&claim, 10))),
    ];
    write(&scene, &claim, facts).await.unwrap();
    let ask = |about: About| {
        let store = scene.store.clone();
        async move { store.facts_about(&identity(), &about).await.unwrap() }
    };
    let ids = |facts: &Facts| facts.owned.iter().map(|record| record.id.to_string()).collect::<Vec<_>>();
    let by_name = ask(About::name(ObjectKind::Server, "web-2")).await;
    assert_eq!((ids(&by_name), by_name.intents.len()), (vec!["9".to_owned(), "11".to_owned()], 0));
    let by_ids = ask(About::ids(ObjectKind::Server, vec!["11".into(), "7".into(), "8".into()])).await;
    assert_eq!(ids(&by_ids), ["11", "7"]);
    let network = ask(About::name(ObjectKind::Network, "backend")).await;
    assert_eq!((network.owned.len(), network.intents.len()), (0, 1));
}
