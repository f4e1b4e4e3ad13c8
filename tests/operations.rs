//! `docs/operations.md` tells what is true: every statement in it runs, in every layout.

use annals_postgres::{Layout, NewJournal, TestDatabase};

/// What stands between the fences of SQL.
fn blocks(text: &str) -> Vec<&str> {
    let opened = text.split("```sql\n").skip(1);
    opened.filter_map(|rest| rest.split("```").next()).collect()
}

#[tokio::test]
async fn every_statement_of_the_operations_page_runs() {
    let text = include_str!("../docs/operations.md");
    let blocks = blocks(text);
    assert!(blocks.len() > 5, "{blocks:?}");
    for layout in [Layout::Flat, Layout::Ordering, Layout::Nested] {
        let database = TestDatabase::create_as(&NewJournal::new(layout))
            .await
            .unwrap();
        let connection = database.connect().await.unwrap();
        for block in &blocks {
            if let Err(error) = connection.batch_execute(block).await {
                panic!("{layout}: {error:?} in\n{block}");
            }
        }
    }
}
