//! Tests of what is known of a connection's frames: verdicts, windows, and that no cut makes a difference.

use proptest::collection::vec;
use proptest::prelude::*;

use super::frames::Frames;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short");
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

fn request(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, b"\x82")
}

fn frames() -> Frames {
    Frames::new(100, 0)
}

/// How many of these frames are taken, up to 10,000.
fn taken(mut each: impl FnMut(u32) -> Vec<u8>) -> u32 {
    let mut frames = frames();
    let over = |number: &u32| {
        frames.receive(&each(*number), 0);
        frames.is_over()
    };
    (0..10_000).find(over).unwrap_or(10_000)
}

#[test]
fn r31_streams_that_are_reset_count_whoever_resets_them() {
    assert_eq!(taken(|n| [request(2 * n + 1), frame(RST_STREAM, 0, 2 * n + 1, &[0; 4])].concat()), 250);
    let mut frames = frames();
    let over = |n: &u32| {
        frames.receive(&request(2 * n + 1), 0);
        frames.send(&frame(RST_STREAM, 0, 2 * n + 1, &[0; 4]), 0);
        frames.is_over()
    };
    assert_eq!((0..10_000).find(over), Some(250));
}

#[test]
fn r34_frames_that_bring_nothing_are_counted() {
    for kind in [2, SETTINGS, PING, WINDOW_UPDATE, 5, 7, 10, 200] {
        assert_eq!(taken(|_| frame(kind, 0, 0, &[0; 8])), 1000, "{kind}");
    }
    assert_eq!(taken(|_| frame(DATA, 0, 1, b"")), 1000);
    assert_eq!(taken(|_| frame(DATA, 0, 1, b"drip")), 1000);
    assert_eq!(taken(|_| frame(DATA, 0, 1, &[0; 16])), 10_000);
    assert_eq!(taken(|_| frame(CONTINUATION, 0, 1, b"")), 1000);
    assert_eq!(taken(|_| request(2)), 1000, "none that a client may open");
}

#[test]
fn r34_requests_are_not_counted_when_they_are_answered() {
    let mut frames = frames();
    for stream in (1..50_000).step_by(2) {
        frames.receive(&request(stream), 0);
        frames.send(&request(stream), 0);
        assert!(!frames.is_over() && !frames.is_open(), "{stream}");
    }
    assert_eq!(frames.last(), 49_999);
    assert_eq!(taken(|n| request(2 * n + 1)), 200, "who is not refused is counted");
}

#[test]
fn r31_a_block_of_fields_lasts_until_its_end() {
    let mut frames = frames();
    frames.receive(&frame(HEADERS, END_STREAM, 1, b"\x82")[..9], 0);
    assert!(frames.is_in_block() && !frames.is_open());
    frames.receive(b"\x82", 0);
    frames.receive(&frame(CONTINUATION, 0, 1, b""), 0);
    assert!(frames.is_in_block() && !frames.is_open());
    frames.receive(&frame(CONTINUATION, END_HEADERS, 1, b""), 0);
    assert!(!frames.is_in_block() && frames.is_open());
}

#[test]
fn r33_it_is_known_whether_the_client_lets_anything_be_sent() {
    let mut frames = frames();
    frames.receive(&frame(SETTINGS, 0, 0, &[0, 1, 0, 0, 0, 0, 0, 4, 0, 0, 0, 9]), 0);
    frames.receive(&request(1), 0);
    frames.send(&frame(HEADERS, END_HEADERS, 1, b"\x88"), 0);
    assert!(!frames.is_blocked());
    frames.send(&frame(DATA, 0, 1, &[0; 9]), 0);
    assert!(frames.is_blocked(), "the stream's window is used up");
    frames.receive(&frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]), 0);
    assert!(!frames.is_blocked());
    frames.receive(&frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 8]), 0);
    assert!(frames.is_blocked(), "a smaller window counts for those that are open");
    frames.receive(&frame(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0]), 0);
    assert!(!frames.is_blocked());
    (0..4).for_each(|_| frames.send(&frame(DATA, 0, 1, &[0; 16_384]), 0));
    assert!(frames.is_blocked(), "the connection's window is used up");
    frames.receive(&frame(WINDOW_UPDATE, 0, 0, &[0, 1, 0, 0]), 0);
    frames.receive(&frame(WINDOW_UPDATE, 0, 1, &[0, 1, 0, 0]), 0);
    assert!(!frames.is_blocked());
    frames.send(&frame(DATA, END_STREAM, 1, b""), 0);
    assert!(!frames.is_open() && !frames.is_blocked());
    assert_eq!(frames.bytes_sent(), 9 + 4 * 16_384);
}

#[test]
fn it_is_known_whether_a_frame_can_be_written() {
    let mut frames = frames();
    let answer = frame(DATA, 0, 1, b"abc");
    for end in 1..answer.len() {
        frames.send(&answer[end - 1..end], 0);
        assert!(!frames.is_between(), "{end}");
    }
    frames.send(&answer[answer.len() - 1..], 0);
    assert!(frames.is_between());
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let streams = prop_oneof![Just(0u32), (0u32..12)];
    (0u8..12, any::<u8>(), streams, vec(any::<u8>(), 0..20))
        .prop_map(|(kind, flags, stream, payload)| frame(kind, flags, stream, &payload))
}

proptest! {
    /// However a stream of frames is cut, the same is known of it; and whatever it is, it does not panic.
    #[test]
    fn r34_the_same_frames_in_any_pieces_are_judged_alike(
        all in vec(any_frame(), 0..400), junk in vec(any::<u8>(), 0..40), cuts in vec(1usize..40, 1..20),
    ) {
        let bytes = [all.concat(), junk].concat();
        let (mut whole, mut cut) = (frames(), frames());
        whole.receive(&bytes, 0);
        whole.send(&bytes, 0);
        for out in [false, true] {
            let mut rest = &bytes[..];
            for length in cuts.iter().cycle() {
                let (piece, later) = rest.split_at((*length).min(rest.len()));
                if out { cut.send(piece, 0) } else { cut.receive(piece, 0) }
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
        }
        prop_assert_eq!(format!("{whole:?}"), format!("{cut:?}"));
    }
}
