//! Values for tests of views and decisions.

use muster_api::plan::{ChangeSaid, PlanAttributes, Sign, StepSaid, SummarySaid, Touches};

/// A plan with nothing in it.
pub fn empty_plan() -> PlanAttributes {
    PlanAttributes {
        space: "default".into(),
        subject: "infrastructure shop".into(),
        infrastructure: Some("shop".into()),
        state: "ready".into(),
        message: None,
        rollback_to: None,
        account: Some("onecloud".into()),
        identity: Some("onecloud:17/3".into()),
        hash: Some("ab".repeat(32)),
        generation: Some(4),
        steps: Vec::new(),
        waiting: Vec::new(),
        notes: Vec::new(),
        refusals: Vec::new(),
        summary: SummarySaid::default(),
        cost: None,
        warnings: Vec::new(),
        actor: "ann".into(),
        created_at: "2026-11-21T05:00:00Z".parse().unwrap(),
    }
}

fn step(number: u32, target: &str, kind: &str, touches: Touches, sign: Sign) -> StepSaid {
    StepSaid {
        number,
        target: target.into(),
        action: kind.replace('.', " "),
        detail: String::new(),
        kind: kind.into(),
        touches,
        sign,
        reason: "it differs from the file".into(),
        reason_code: "differs".into(),
        changes: Vec::new(),
        risk: "none".into(),
        after: Vec::new(),
    }
}

/// A plan with a step of every sort.
pub fn plan() -> PlanAttributes {
    let mut create = step(1, "web-1", "server.create", Touches::Provider, Sign::Create);
    create.action = "create server".into();
    create.detail = "2 cpu, 4 GiB, 40 GiB SSD, high, Ubuntu 22.04, SdnSpb".into();
    create.reason = "the file has it and the provider does not".into();
    let mut resize = step(2, "db-1", "server.resize", Touches::Provider, Sign::Change);
    resize.action = "resize server".into();
    resize.changes = vec![ChangeSaid { field: "cpu".into(), old: "2".into(), new: "4".into() }];
    resize.risk = "interrupts".into();
    let mut delete = step(3, "old-1", "server.delete", Touches::Provider, Sign::Delete);
    delete.action = "delete server".into();
    delete.detail = "id 5".into();
    delete.reason = "it is ours and not in the file any more".into();
    delete.risk = "destroys".into();
    let mut playbook = step(4, "shop", "provision.playbook", Touches::Inside, Sign::Provision);
    playbook.action = "run playbook".into();
    playbook.detail = "node_exporter on web-1".into();
    playbook.reason = "it was not done there in this version yet".into();
    playbook.after = vec![1];
    let mut own = step(5, "web-2", "record.own", Touches::Record, Sign::Record);
    own.action = "claim server".into();
    own.detail = "id 9, claimed, not made by us".into();
    own.reason = "it fits the file and nobody had a record of it".into();
    PlanAttributes {
        steps: vec![create, resize, delete, playbook, own],
        summary: SummarySaid {
            text: "1 to create, 1 to change, 0 to replace, 1 to delete, 1 to record, 1 to provision".into(),
            ..SummarySaid::default()
        },
        ..empty_plan()
    }
}
