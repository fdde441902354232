//! The index of visitors has no checksums: where it leads is looked at before it is believed.

use super::*;

/// Lets the entry of session 2 name session 3.
fn mislead(path: &Path) {
    let entry = [&[7; 16][..], &[2], &number(2).to_be_bytes()[2..]].concat();
    let mut bytes = fs::read(path).expect("the file is read");
    let places: Vec<_> = (0..bytes.len()).filter(|place| bytes[*place..].starts_with(&entry)).collect();
    let [place] = places[..] else { panic!("{} such entries", places.len()) };
    bytes[place + entry.len() - 1] = 3;
    fs::write(path, bytes).expect("the file is written");
}

#[test]
fn a_damaged_index_gives_nobody_anothers_session() {
    let folder = Folder::new();
    fill(&open(&folder.journal()), 3, 1);
    mislead(&folder.journal());
    let journal = open(&folder.journal());
    assert_eq!(fault(journal.find(&[7; 16], 2)), Fault::Damaged);
    let found = journal.find(&[7; 16], 3).expect("others are found");
    assert_eq!(found.session.map(|head| head.session), Some(number(3)));
}
