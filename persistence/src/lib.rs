#![doc = "Written next."]
