//! Keys: any string up to the limit, each one of its own.

use chunk_store::kv::Outcome;

use crate::subject::Subject;

pub async fn every_key_is_a_key_of_its_own(subject: &Subject) {
    let keys = subject.awkward_keys();
    for key in &keys {
        assert_eq!(subject.entry(key).await, None, "{key:?} before its set");
        subject.put(key, format!("value of {key}")).await;
    }
    for key in &keys {
        let wanted = format!("value of {key}");
        assert_eq!(subject.value(key).await, Some(wanted.into()), "{key:?}");
    }
}

pub async fn deleting_one_key_leaves_the_others(subject: &Subject) {
    let mut keys = subject.awkward_keys();
    for key in &keys {
        subject.put(key, key.clone()).await;
    }
    // From the middle outwards, so that parents go before children and after.
    while !keys.is_empty() {
        let key = keys.remove(keys.len() / 2);
        assert_eq!(subject.delete(&key, None).await, Ok(Outcome::Done));
        subject.settle().await;
        assert_eq!(subject.entry(&key).await, None, "{key:?}");
        for other in &keys {
            let value = subject.value(other).await;
            assert_eq!(value, Some(other.clone().into()), "{other:?} after {key:?}");
        }
    }
    assert!(subject.keys("", 10).await.is_empty());
}

pub async fn the_longest_key_is_a_key(subject: &Subject) {
    let bytes = subject.limits().key_bytes_max as usize;
    for unit in ["x", "/", "%", "./", "x/", "é", "\u{1}/", "\u{1}"] {
        let mut key = unit.repeat(bytes / unit.len());
        key.push_str(&"y".repeat(bytes - key.len()));
        subject.put(&key, unit).await;
        assert_eq!(subject.value(&key).await, Some(unit.into()), "{unit:?}");
        assert_eq!(subject.keys(&key, 10).await, [key.clone()]);
        subject.remove(&key).await;
        assert_eq!(subject.value(&key).await, None, "{unit:?}");
    }
    assert!(subject.keys("", 10).await.is_empty());
}
