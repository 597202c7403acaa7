use super::*;
use proptest::prelude::*;

fn folder(path: &str, special_use: Option<SpecialUse>) -> RemoteFolder {
    RemoteFolder { path: FolderPath::from(path), native: path.to_owned(), special_use, selectable: true }
}

/// `path` or `path=use`, separated by `|`; a leading `-` means that it cannot hold messages.
fn folders(text: &str) -> Vec<RemoteFolder> {
    text.split('|')
        .filter(|entry| !entry.is_empty())
        .map(|entry| {
            let (path, attribute) = entry.split_once('=').map_or((entry, None), |(p, a)| (p, Some(a)));
            let selectable = !path.starts_with('-');
            let special_use = attribute.map(|a| a.parse().expect("a special use"));
            RemoteFolder { selectable, ..folder(path.trim_start_matches('-'), special_use) }
        })
        .collect()
}

fn options(map: &[(&str, &str)]) -> Options {
    let folder_map = map.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Options { folder_map, ..Options::default() }
}

/// `source>dest`, sorted by source, separated by `|`.
fn shown(plan: &Plan) -> String {
    plan.folders.iter().map(|m| format!("{}>{}", m.source.path, m.dest)).collect::<Vec<_>>().join("|")
}

#[test]
fn folders_go_where_the_rules_say() {
    for (source, dest, map, expect) in [
        // INBOX in any case, and the same path.
        ("inbox|Projetos/2019", "INBOX", &[][..], "Projetos/2019>Projetos/2019|inbox>INBOX"),
        ("inbox/x|INBOX", "INBOX", &[], "INBOX>INBOX|inbox/x>INBOX/x"),
        // Attributes on both sides, then on one, then names, then the standard names.
        ("Itens Enviados=sent", "Gesendet=sent", &[], "Itens Enviados>Gesendet"),
        ("Itens Enviados=sent", "Gesendet", &[], "Itens Enviados>Gesendet"),
        ("Enviados", "Sent Items=sent", &[], "Enviados>Sent Items"),
        ("Enviados", "Gesendet|Sent", &[], "Enviados>Sent"),
        ("Enviados", "INBOX/Sent", &[], "Enviados>INBOX/Sent"),
        ("Weird=sent", "", &[], "Weird>Sent"),
        (
            "Rascunhos|Lixeira|Lixo Eletrônico|Arquivo|Itens Enviados",
            "INBOX",
            &[],
            "Arquivo>Archive|Itens Enviados>Sent|Lixeira>Trash|Lixo Eletrônico>Junk|Rascunhos>Drafts",
        ),
        ("[Gmail]/Sent Mail=sent|[Gmail]/Bin", "", &[], "[Gmail]/Bin>Trash|[Gmail]/Sent Mail>Sent"),
        ("INBOX/spam|INBOX/Trash", "Junk=junk|Trash=trash", &[], "INBOX/Trash>Trash|INBOX/spam>Junk"),
        // The attribute beats the name; the loser keeps its path.
        ("Enviados|Weird=sent", "", &[], "Enviados>Enviados|Weird>Sent"),
        // Among names: the one that need not be renamed, then the first by path.
        ("Enviados|Sent", "", &[], "Enviados>Enviados|Sent>Sent"),
        ("Enviadas|Enviados", "", &[], "Enviadas>Sent|Enviados>Enviados"),
        // Folders below move along, with names decomposed or not.
        ("Enviados|Enviados/2019/a", "", &[], "Enviados>Sent|Enviados/2019/a>Sent/2019/a"),
        // A folder that cannot hold messages wins no use and is not in the plan.
        ("-Enviados|Enviados/2019|Sent Items", "", &[], "Enviados/2019>Enviados/2019|Sent Items>Sent"),
        // The user's map over all, its children along, unless they have their own; by case, too.
        ("A|A/b|A/c", "", &[("A", "X"), ("A/b", "Y")], "A>X|A/b>Y|A/c>X/c"),
        ("Sent=sent", "", &[("sent", "Old/Sent")], "Sent>Old/Sent"),
        ("INBOX", "", &[("inbox", "Old")], "INBOX>Old"),
        ("Projetos|projetos", "", &[("projetos", "P2")], "Projetos>P2|projetos>P2"),
        ("A", "", &[("A", "inbox")], "A>INBOX"),
        ("A|B", "", &[("A", "X"), ("B", "X")], "A>X|B>X"),
        ("A", "", &[("A/", "/X//Y/")], "A>X/Y"),
        ("A\\//b", "", &[("A\\/", "X")], "A\\//b>X/b"),
        // The destination's own spelling of the same letters.
        ("São", "SA\u{303}O|Sa\u{303}o", &[], "São>Sa\u{303}o"),
        ("Sa\u{303}o/x", "", &[], "Sa\u{303}o/x>São/x"),
        ("São/x", "Sa\u{303}o", &[], "São/x>Sa\u{303}o/x"),
        // An archive's inbox under another name.
        (
            "Caixa de Entrada=inbox|Caixa de Entrada/x",
            "INBOX",
            &[],
            "Caixa de Entrada>INBOX|Caixa de Entrada/x>INBOX/x",
        ),
    ] {
        let planned = plan(&folders(source), &folders(dest), &options(map));
        if source == "Projetos|projetos" {
            // One key that speaks for two folders is no wish to merge them.
            assert_eq!(planned.map_err(|p| p.len()), Err(1));
            continue;
        }
        assert_eq!(shown(&planned.unwrap_or_else(|p| panic!("{source}: {p:?}"))), expect, "{source} to {dest}");
    }
}

#[test]
fn names_that_would_meet_are_a_problem_that_names_both() {
    for (source, dest, map, both) in [
        ("Projetos|projetos", "", &[][..], ["Projetos", "projetos"]),
        ("São|Sa\u{303}o", "", &[], ["São", "Sa\u{303}o"]),
        ("Sent Items=sent|Sent", "", &[], ["Sent", "Sent Items"]),
        ("A|B", "", &[("A", "B")], ["A", "B"]),
        ("A/x|A/X", "", &[("A", "B")], ["A/X", "A/x"]),
        ("INBOX|A", "", &[("A", "Inbox")], ["A", "INBOX"]),
        ("a\\/b|a_b", "", &[], ["a\\/b", "a_b"]),
        ("a.b|a_b", "x.y", &[], ["a.b", "a_b"]),
    ] {
        let mut to = folders(dest);
        for f in &mut to {
            f.path = FolderPath::from(f.native.replace('.', "/"));
        }
        let problems = plan(&folders(source), &to, &options(map)).expect_err(source);
        assert_eq!(problems.len(), 1, "{source}: {problems:?}");
        for name in both {
            assert!(problems[0].sentence.contains(&format!("\"{name}\"")), "{source}: {}", problems[0].sentence);
        }
        assert!(problems[0].sentence.contains("folder map"));
    }
}

#[test]
fn a_map_to_nowhere_is_a_problem() {
    for value in ["", " ", "/", "//"] {
        let problems = plan(&folders("A"), &[], &options(&[("A", value)])).expect_err(value);
        assert!(problems[0].to_string().contains("without a name"), "{value}: {problems:?}");
    }
}

#[test]
fn views_and_unwanted_folders_are_left_out_with_a_reason() {
    let source = folders("INBOX|[Gmail]/All Mail=all|[Gmail]/Starred=flagged|[Gmail]/Importante|Spam|-[Gmail]");
    let wishes = Options { globs: vec!["!spam".to_owned()], ..Options::default() };
    let planned = plan(&source, &[], &wishes).expect("a plan");
    assert_eq!(shown(&planned), "INBOX>INBOX");
    let left: Vec<String> = planned.left.iter().map(|l| l.source.path.to_string()).collect();
    assert_eq!(left, ["Spam", "[Gmail]/All Mail", "[Gmail]/Importante", "[Gmail]/Starred"]);
    assert!(planned.left[0].reason.contains("!spam"));
    assert!(planned.warnings.iter().any(|w| w.contains("stays behind")), "{:?}", planned.warnings);

    let asked = plan(&source, &[], &options(&[("[Gmail]/All Mail", "Archive")])).expect("a plan");
    assert!(shown(&asked).contains("[Gmail]/All Mail>Archive"));
    // A key above the view is not a wish for the view.
    let above = plan(&source, &[], &options(&[("[Gmail]", "Gmail")])).expect("a plan");
    assert_eq!(above.left.len(), 3);
}

/// The driver tells "All Mail" as an archive where it filters it by labels.
#[test]
fn gmails_archive_goes_to_the_archive_unless_a_label_is_called_so() {
    let all_mail = "[Gmail]/Alle Nachrichten=archive";
    for (source, dest, expect) in [
        ("INBOX".to_owned(), "", "INBOX>INBOX|[Gmail]/Alle Nachrichten>Archive"),
        ("INBOX".to_owned(), "Arquivo=archive", "INBOX>INBOX|[Gmail]/Alle Nachrichten>Arquivo"),
        ("Archive".to_owned(), "", "Archive>Archive|[Gmail]/Alle Nachrichten>[Gmail]/Alle Nachrichten"),
        ("Archive/2019".to_owned(), "", "Archive/2019>Archive/2019|[Gmail]/Alle Nachrichten>Archive"),
    ] {
        let planned = plan(&folders(&format!("{source}|{all_mail}")), &folders(dest), &options(&[])).expect("a plan");
        assert_eq!(shown(&planned), expect);
        assert!(planned.warnings.iter().any(|w| w.contains("without a label")), "{:?}", planned.warnings);
    }
}

#[test]
fn what_an_earlier_run_placed_stays_and_its_new_folders_follow() {
    let placed = [("Enviados", "Old Sent"), ("A", "A2")].map(|(s, d)| (FolderPath::from(s), FolderPath::from(d)));
    let wishes = Options { placed: placed.into(), ..options(&[("A", "A3")]) };
    // A new name that sorts first does not take the place over.
    let planned = plan(&folders("A|Enviadas|Enviados|Enviados/x"), &folders("Sent=sent"), &wishes).expect("a plan");
    assert_eq!(shown(&planned), "A>A3|Enviadas>Enviadas|Enviados>Old Sent|Enviados/x>Old Sent/x");
}

#[test]
fn a_folder_says_what_it_is_for_and_which_rule_decided() {
    use SpecialUse::{Inbox, Sent, Trash};
    let source = folders("INBOX|Enviados|Lixeira=trash|Lixeira/x|Minhas");
    let planned =
        plan(&source, &folders("INBOX|Trash"), &options(&[("Enviados", "E"), ("Minhas", "M")])).expect("a plan");
    let told: Vec<_> = planned.folders.iter().map(|m| (m.special_use, m.rule, m.exists)).collect();
    assert_eq!(
        told,
        [
            (Some(Sent), Rule::User, false),
            (Some(Inbox), Rule::Inbox, true),
            (Some(Trash), Rule::SpecialUse, true),
            (None, Rule::SpecialUse, false),
            (None, Rule::User, false),
        ]
    );
}

#[test]
fn what_a_person_should_know_is_said() {
    for (source, dest, map, part) in [
        ("A", "", &[("B", "C")][..], "does not have"),
        (" A", "", &[], "space"),
        ("A/inbox", "", &[], "INBOX as a lower level"),
        ("A\u{7}", "", &[], "control characters"),
        ("Projetos", "projetos", &[], "only in case"),
        ("Enviadas|Enviados", "", &[], "looks like the sent folder too"),
    ] {
        let planned = plan(&folders(source), &folders(dest), &options(map)).expect(source);
        assert!(planned.warnings.iter().any(|w| w.contains(part)), "{source}: {:?}", planned.warnings);
    }
}

#[test]
fn the_separator_is_seen_in_native_names() {
    let native = |path: &str, native: &str| RemoteFolder { native: native.to_owned(), ..folder(path, None) };
    assert_eq!(separator(&[native("INBOX", "INBOX"), native("A/b", "INBOX.A.b")]), Some('.'));
    assert_eq!(separator(&[native("A/b", "A/b")]), Some('/'));
    assert_eq!(separator(&[native("A", "INBOX.A")]), None);
    assert_eq!(separator(&[native("A/b", "b")]), None);
}

const LEVELS: &[&str] = &[
    "INBOX",
    "inbox",
    "Sent",
    "sent",
    "Enviados",
    "Itens Enviados",
    "Gesendet",
    "Trash",
    "Lixeira",
    "Junk",
    "Spam",
    "São",
    "Sa\u{303}o",
    "SÃO",
    "a.b",
    "a_b",
    "a/b",
    "x",
    "X",
    "[Gmail]",
    "All Mail",
    "",
    " ",
    "\u{1}",
];

fn any_path() -> impl Strategy<Value = FolderPath> {
    let level = prop::sample::select(LEVELS);
    prop_oneof![
        6 => prop::collection::vec(level.clone(), 1..2),
        3 => prop::collection::vec(level.clone(), 2..3),
        1 => prop::collection::vec(level, 3..4),
    ]
    .prop_map(FolderPath::new)
}

fn any_folders(most: usize) -> impl Strategy<Value = Vec<RemoteFolder>> {
    let attribute = prop::option::weighted(0.2, prop::sample::select(SpecialUse::ALL));
    let one = (any_path(), attribute, prop::bool::weighted(0.9)).prop_map(|(path, special_use, selectable)| {
        RemoteFolder { native: path.to_string(), path, special_use, selectable }
    });
    prop::collection::vec(one, 0..most).prop_map(|mut all| {
        all.sort_by(|a, b| a.path.cmp(&b.path));
        all.dedup_by(|a, b| a.path == b.path);
        all
    })
}

fn any_options() -> impl Strategy<Value = Options> {
    let map = prop::collection::btree_map(any_path(), any_path(), 0..3);
    let separator = prop::option::of(prop::sample::select(&['.', '/'][..]));
    let globs = prop::sample::subsequence(vec!["*", "!x", "!Sent*", "S?o*"], 0..2);
    (map, separator, globs).prop_map(|(map, dest_separator, globs)| Options {
        folder_map: map.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
        globs: globs.into_iter().map(str::to_owned).collect(),
        dest_separator,
        ..Options::default()
    })
}

/// The destination after the plan's folders were made, with all levels above.
fn after(dest: &[RemoteFolder], plan: &Plan) -> Vec<RemoteFolder> {
    let mut all = dest.to_vec();
    for mapped in &plan.folders {
        for len in 1..=mapped.dest.levels().len() {
            let path = FolderPath::new(&mapped.dest.levels()[..len]);
            match all.iter_mut().find(|f| f.path == path) {
                Some(there) => there.selectable = true,
                None => all.push(folder(&path.to_string(), None)),
            }
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_loses_no_folder_and_merges_none_unasked(
        source in any_folders(8), dest in any_folders(5), options in any_options(),
    ) {
        let Ok(planned) = plan(&source, &dest, &options) else { return Ok(()) };
        let mut told: Vec<_> =
            planned.folders.iter().map(|m| &m.source).chain(planned.left.iter().map(|l| &l.source)).collect();
        told.sort_by(|a, b| a.path.cmp(&b.path));
        let selectable: Vec<_> = source.iter().filter(|f| f.selectable).collect();
        prop_assert_eq!(told, selectable);
        for (n, one) in planned.folders.iter().enumerate() {
            for two in &planned.folders[n + 1..] {
                let shared = fold_path(&one.dest) == fold_path(&two.dest);
                prop_assert!(!shared || (one.rule == Rule::User && two.rule == Rule::User), "{one:?} {two:?}");
            }
            let carried = one.dest.levels().iter().all(|l| !l.is_empty() && !l.contains(['/', '\u{1}']));
            prop_assert!(carried, "{}", one.dest);
        }
        for left in &planned.left {
            prop_assert!(!left.reason.is_empty());
        }
    }

    #[test]
    fn a_plan_does_not_depend_on_the_order_of_its_input(
        (source, shuffled) in any_folders(8).prop_flat_map(|f| (Just(f.clone()), Just(f).prop_shuffle())),
        (dest, dest_shuffled) in any_folders(5).prop_flat_map(|f| (Just(f.clone()), Just(f).prop_shuffle())),
        options in any_options(),
    ) {
        prop_assert_eq!(plan(&source, &dest, &options), plan(&shuffled, &dest_shuffled, &options));
    }

    #[test]
    fn a_second_plan_moves_nothing(source in any_folders(8), dest in any_folders(5), options in any_options()) {
        let Ok(first) = plan(&source, &dest, &options) else { return Ok(()) };
        let dest = after(&dest, &first);
        let second = plan(&source, &dest, &options);
        prop_assert_eq!(second.as_ref().map(shown), Ok(shown(&first)));
        // Nor does it with what the ledger remembers.
        let placed = first.folders.iter().map(|m| (m.source.path.clone(), m.dest.clone())).collect();
        let third = plan(&source, &dest, &Options { placed, ..options });
        prop_assert_eq!(third.as_ref().map(shown), Ok(shown(&first)));
        prop_assert!(third.is_ok_and(|p| p.folders.iter().all(|m| m.exists)));
    }

    #[test]
    fn the_users_map_wins(source in any_folders(8), dest in any_folders(5), pick in any::<prop::sample::Index>()) {
        // A key without a last name is read as the path above it.
        let named: Vec<_> = source.iter().filter(|f| f.selectable && !f.path.name().is_empty()).collect();
        if named.is_empty() {
            return Ok(());
        }
        let chosen = pick.get(&named);
        let map = options(&[(&chosen.path.to_string(), "A place of its own")]);
        let Ok(planned) = plan(&source, &dest, &map) else { return Ok(()) };
        let mapped = planned.folders.iter().find(|m| m.source.path == chosen.path);
        prop_assert_eq!(mapped.map(|m| (m.dest.to_string(), m.rule)), Some(("A place of its own".into(), Rule::User)));
    }
}

#[test]
fn a_folder_that_is_listed_twice_for_two_uses_is_planned_the_same_in_any_order() {
    let of = |special_use| RemoteFolder {
        path: FolderPath::from("Lixeira"),
        native: "Lixeira".into(),
        special_use: Some(special_use),
        selectable: true,
    };
    let (junk, trash) = (of(SpecialUse::Junk), of(SpecialUse::Trash));
    let planned = |source: &[RemoteFolder]| plan(source, &[], &Options::default()).expect("a plan");
    assert_eq!(planned(&[junk.clone(), trash.clone()]), planned(&[trash, junk]));
}
